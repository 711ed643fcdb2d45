/* The part of libuv that the addon needs. Node exports these functions; where its headers came
 * without uv.h (the package node-api-headers), they are declared here. Handles are only ever
 * pointers to memory of the size that libuv names, so that both ways are one. */
#ifndef UNUM_NODE_UV_CALLS_H
#define UNUM_NODE_UV_CALLS_H

#if __has_include(<uv.h>) && !defined(UNUM_NODE_WITHOUT_UV_H)
#include <uv.h>
#else
#include <stddef.h>
#include <stdint.h>

/* Numbers and signatures are those of libuv 1.x, whose interface is stable. */
typedef struct uv_loop_s uv_loop_t;
typedef struct uv_handle_s uv_handle_t;
typedef struct uv_poll_s uv_poll_t;
typedef struct uv_timer_s uv_timer_t;
typedef struct uv_prepare_s uv_prepare_t;
typedef enum { UV_POLL = 8, UV_PREPARE = 9, UV_TIMER = 13 } uv_handle_type;
enum { UV_READABLE = 1 };
typedef void (*uv_poll_cb)(uv_poll_t* handle, int status, int events);
typedef void (*uv_timer_cb)(uv_timer_t* handle);
typedef void (*uv_prepare_cb)(uv_prepare_t* handle);
typedef void (*uv_close_cb)(uv_handle_t* handle);

size_t uv_handle_size(uv_handle_type type);
void* uv_handle_get_data(const uv_handle_t* handle);
void uv_handle_set_data(uv_handle_t* handle, void* data);
void uv_ref(uv_handle_t* handle);
void uv_unref(uv_handle_t* handle);
void uv_close(uv_handle_t* handle, uv_close_cb closed);
int uv_poll_init(uv_loop_t* loop, uv_poll_t* handle, int fd);
int uv_poll_start(uv_poll_t* handle, int events, uv_poll_cb readable);
int uv_timer_init(uv_loop_t* loop, uv_timer_t* handle);
int uv_timer_start(uv_timer_t* handle, uv_timer_cb due, uint64_t timeout_ms, uint64_t repeat_ms);
int uv_timer_stop(uv_timer_t* handle);
int uv_prepare_init(uv_loop_t* loop, uv_prepare_t* handle);
int uv_prepare_start(uv_prepare_t* handle, uv_prepare_cb prepare);
int uv_prepare_stop(uv_prepare_t* handle);
const char* uv_strerror(int error);
#endif

#endif

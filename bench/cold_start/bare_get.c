/* The least a program can do with libcurl: GETs one URL with the easy interface and writes the
 * body to stdout. */
#include <curl/curl.h>
#include <stdio.h>

static size_t print(char* bytes, size_t size, size_t count, void* unused) {
  (void)unused;
  return fwrite(bytes, size, count, stdout);
}

int main(int argc, char** argv) {
  if (argc != 2 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return 2;
  CURL* easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, print);
  curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
  const CURLcode code = curl_easy_perform(easy);
  if (code != CURLE_OK) fprintf(stderr, "bare-get: %s\n", curl_easy_strerror(code));
  /* As first_value.cpp does: what stands after the value is not what is measured. */
  fflush(stdout);
  curl_easy_cleanup(easy);
  curl_global_cleanup();
  return code == CURLE_OK ? 0 : 1;
}

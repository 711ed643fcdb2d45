// The main function of every test program, compiled once.
#define CATCH_CONFIG_RUNNER
#include "catch.hpp"

#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#endif

int main(int argc, char** argv) { return Catch::Session().run(argc, argv); }

// The command `unum`.
#include "cli/cli.hpp"

int main(int argc, char** argv) { return unum::cli::main(argc, argv); }

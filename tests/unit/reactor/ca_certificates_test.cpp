// Where CA certificates are found: as the TLS library was built, else as distributions have them.
#include "reactor/ca_certificates.hpp"

#include <fstream>

#include "catch.hpp"
#include "support/scratch.hpp"

using namespace unum;
using unum::test::Scratch;

namespace {

std::string make(const Scratch& root, const std::string& path) {
  std::filesystem::create_directories(std::filesystem::path(root / path).parent_path());
  std::ofstream(root / path) << "a certificate\n";
  return root / path;
}

}  // namespace

TEST_CASE("CA certificates are found where each distribution keeps them, in a fixed order",
          "[http]") {
  const Scratch root;
  CHECK(find_ca_certificates(nullptr, nullptr, root.path()).file.empty());
  for (const char* path :
       {"etc/ssl/cert.pem", "etc/ssl/ca-bundle.pem",
        "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "etc/pki/tls/certs/ca-bundle.crt",
        "etc/ssl/certs/ca-certificates.crt"}) {
    const std::string made = make(root, path);  // each comes before those made already
    const CaPlace place = find_ca_certificates("/nowhere/cert.pem", "/nowhere/certs", root.path());
    CHECK(place.file == made);
    CHECK(place.directory.empty());
  }
}

TEST_CASE(
    "the place that the TLS library was built with comes first, its directory before its file",
    "[http]") {
  const Scratch root;
  make(root, "etc/ssl/certs/ca-certificates.crt");
  const std::string built = make(root, "built/cert.pem");
  const std::string directory = root / "built/certs";
  CHECK(find_ca_certificates(built.c_str(), directory.c_str(), root.path()).file == built);
  make(root, "built/certs/README");
  CHECK(find_ca_certificates(built.c_str(), directory.c_str(), root.path()).file == built);
  make(root, "built/certs/5ed36f99.0");
  const CaPlace place = find_ca_certificates(built.c_str(), directory.c_str(), root.path());
  CHECK(place.directory == directory);
  CHECK(place.file.empty());
}

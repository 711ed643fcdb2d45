// Profile files, regions and endpoints.
#include "aws/settings.hpp"
#include "aws/endpoint.hpp"
#include "aws/profile_file.hpp"
#include "aws_testing.hpp"
#include "base/json.hpp"

using namespace unum;
using namespace unum::test;
using aws::Endpoint;
using aws::ProfileFileKind;
using aws::ProfileFiles;
using aws::Settings;

namespace {

std::string text_of(json::View object, std::string_view key) {
  const auto value = json::member(object, key);
  return value ? json::string_value(*value) : std::string();
}

void check_sections(json::View expected, const ProfileFiles::Sections& sections) {
  std::size_t count = 0;
  for (const json::Member& section : json::members(expected)) {
    ++count;
    CAPTURE(section.key);
    const auto found = sections.find(section.key);
    REQUIRE(found != sections.end());
    std::size_t properties = 0;
    for (const json::Member& member : json::members(section.value)) {
      ++properties;
      CAPTURE(member.key);
      CHECK(aws::property(found->second, member.key) == json::string_value(member.value));
    }
    CHECK(found->second.size() == properties);
  }
  CHECK(sections.size() == count);
}

std::optional<Error> parse_error(std::string_view text) {
  ProfileFiles files;
  try {
    aws::parse_profile_file(text, ProfileFileKind::config, "config", files);
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

template <class Function>
std::optional<Error> thrown_by(Function function) {
  try {
    function();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

std::string origin_of(const char* service, const std::string& region) {
  EnvironmentGuard environment;
  environment.set("AWS_REGION", region);
  return aws::resolve_endpoint(service).origin;
}

}  // namespace

namespace {

/// Where AWS' own command takes what the table ignores or refuses, so do we: by the table's name.
const std::map<std::string, std::string, std::less<>> kWiderThanTheTable = {
    {"Profile names support alphanumeric characters and - / . % @ _ : +", "any name is one"},
    {"Invalid profile names are ignored.", "any head is a name in the credentials file"},
    {"Property definitions must contain an equals sign.", "':' may stand for '='"},
};

}  // namespace

TEST_CASE("profile files mean what the SDKs' table of cases says", "[aws]") {
  const std::string text = fixture("aws/profile-parser-tests.json");
  const json::View table = json::validate(text, "table");
  std::size_t cases = 0;
  std::size_t errors = 0;
  std::size_t wider = 0;
  for (const json::View test : json::elements(*json::member(table, "tests"))) {
    ++cases;
    const std::string name = text_of(test, "name");
    INFO(name);
    if (kWiderThanTheTable.contains(name)) {
      ++wider;
      continue;
    }
    const json::View input = *json::member(test, "input");
    const json::View output = *json::member(test, "output");
    ProfileFiles files;
    const auto error = thrown_by([&] {
      aws::parse_profile_file(text_of(input, "configFile"), ProfileFileKind::config, "config",
                              files);
      aws::parse_profile_file(text_of(input, "credentialsFile"), ProfileFileKind::credentials,
                              "credentials", files);
    });
    const auto config = json::member(output, "config");
    CHECK(error.has_value() == !config.has_value());
    if (!config || error) {
      ++errors;
      continue;
    }
    check_sections(json::member(*config, "profiles").value_or(json::View::trusted("{}")),
                   files.profiles);
    check_sections(json::member(*config, "sso_sessions").value_or(json::View::trusted("{}")),
                   files.sso_sessions);
  }
  CHECK(cases == 65);
  CHECK(errors == 9);
  CHECK(wider == kWiderThanTheTable.size());
}

TEST_CASE("an error in a profile file names file and line, and quotes nothing", "[aws]") {
  const auto error = parse_error("[default]\n\naws_secret_access_key " + kSecret + "\n");
  REQUIRE(error);
  CHECK(error->code() == "Unum.InvalidProfileFile");
  CHECK(error->kind() == ErrorKind::invalid);
  CHECK(error->message() == "config:3: a property needs '=' between name and value");
}

TEST_CASE("services sections and nested settings are read by name", "[aws]") {
  ProfileFiles files;
  aws::parse_profile_file(
      "\xEF\xBB\xBF[services local]\ndynamodb =\n  endpoint_url = http://a\n  other = 1\ns3 =\n"
      "  endpoint_url = http://b\n[profile \"quoted\"]\nregion = x",
      ProfileFileKind::config, "config", files);
  const aws::Properties& local = files.services.at("local");
  CHECK(aws::sub_property(*aws::property(local, "dynamodb"), "endpoint_url") == "http://a");
  CHECK(aws::sub_property(*aws::property(local, "s3"), "endpoint_url") == "http://b");
  CHECK(!aws::sub_property(*aws::property(local, "s3"), "other"));
  CHECK(!aws::sub_property("http://b", "endpoint_url"));
  CHECK(files.profiles.contains("quoted"));
}

TEST_CASE("without a region the error names the places that were looked at", "[aws]") {
  CleanEnvironment environment;
  const auto error = thrown_by([] { aws::resolve_endpoint("s3"); });
  REQUIRE(error);
  CHECK(error->kind() == ErrorKind::not_found);
  CHECK(error->code() == "Unum.NoRegion");
  for (const std::string& place : {std::string("AWS_REGION"), std::string("AWS_DEFAULT_REGION"),
                                   environment.home / ".aws/config", std::string("default")}) {
    CHECK(error->message().find(place) != std::string::npos);
  }
}

TEST_CASE("the region comes from the environment, then from the profile", "[aws]") {
  CleanEnvironment environment;
  environment.write(".aws/config",
                    "[default]\nregion = eu-west-1\n[profile w]\nregion = eu-west-2");
  CHECK(aws::resolve_endpoint("s3").region == "eu-west-1");
  environment.set("AWS_PROFILE", "w");
  CHECK(aws::resolve_endpoint("s3").region == "eu-west-2");
  environment.set("AWS_DEFAULT_REGION", "us-west-1");
  CHECK(aws::resolve_endpoint("s3").region == "us-west-1");
  environment.set("AWS_REGION", "us-west-2");
  CHECK(aws::resolve_endpoint("s3").region == "us-west-2");
  for (const char* region : {"evil.example/", "a b", "-x", "x-", "EU-WEST-1"}) {
    environment.set("AWS_REGION", region);
    const auto error = thrown_by([] { aws::resolve_endpoint("s3"); });
    REQUIRE(error);
    CHECK(error->code() == "Unum.InvalidRegion");
  }
}

TEST_CASE("services' own endpoints in all partitions", "[aws]") {
  // What botocore 1.42 resolves for the same settings.
  CleanEnvironment environment;
  CHECK(origin_of("s3", "eu-central-1") == "https://s3.eu-central-1.amazonaws.com");
  CHECK(origin_of("dynamodb", "us-east-1") == "https://dynamodb.us-east-1.amazonaws.com");
  CHECK(origin_of("sts", "cn-north-1") == "https://sts.cn-north-1.amazonaws.com.cn");
  CHECK(origin_of("s3", "us-gov-west-1") == "https://s3.us-gov-west-1.amazonaws.com");
  CHECK(origin_of("s3", "us-iso-east-1") == "https://s3.us-iso-east-1.c2s.ic.gov");
  CHECK(origin_of("s3", "us-isob-east-1") == "https://s3.us-isob-east-1.sc2s.sgov.gov");
  CHECK(origin_of("sts", "eu-isoe-west-1") == "https://sts.eu-isoe-west-1.cloud.adc-e.uk");
  CHECK(origin_of("sts", "us-isof-south-1") == "https://sts.us-isof-south-1.csp.hci.ic.gov");
  CHECK(origin_of("dynamodb", "eusc-de-east-1") == "https://dynamodb.eusc-de-east-1.amazonaws.eu");

  environment.set("AWS_USE_DUALSTACK_ENDPOINT", "true");
  CHECK(origin_of("s3", "us-east-1") == "https://s3.dualstack.us-east-1.amazonaws.com");
  CHECK(origin_of("dynamodb", "us-east-1") == "https://dynamodb.us-east-1.api.aws");
  CHECK(origin_of("sts", "cn-north-1") == "https://sts.cn-north-1.api.amazonwebservices.com.cn");
  environment.set("AWS_USE_FIPS_ENDPOINT", "true");
  CHECK(origin_of("s3", "us-east-1") == "https://s3-fips.dualstack.us-east-1.amazonaws.com");
  CHECK(origin_of("dynamodb", "us-east-1") == "https://dynamodb-fips.us-east-1.api.aws");
  environment.unset("AWS_USE_DUALSTACK_ENDPOINT");
  CHECK(origin_of("s3", "us-east-1") == "https://s3-fips.us-east-1.amazonaws.com");
  CHECK(origin_of("sts", "us-east-1") == "https://sts-fips.us-east-1.amazonaws.com");
  CHECK(origin_of("sts", "us-gov-west-1") == "https://sts.us-gov-west-1.amazonaws.com");
  CHECK(thrown_by([] { origin_of("s3", "cn-north-1"); }));
  environment.set("AWS_USE_FIPS_ENDPOINT", "maybe");
  CHECK(thrown_by([] { origin_of("s3", "us-east-1"); }));
}

TEST_CASE("STS is the region's own unless it is asked for the old way", "[aws]") {
  CleanEnvironment environment;
  environment.set("AWS_REGION", "eu-west-1");
  environment.set("AWS_STS_REGIONAL_ENDPOINTS", "legacy");
  const Endpoint legacy = aws::resolve_endpoint("sts");
  CHECK(legacy.origin == "https://sts.amazonaws.com");
  CHECK(legacy.region == "us-east-1");
  CHECK(aws::resolve_endpoint("s3").region == "eu-west-1");
  environment.set("AWS_REGION", "eu-south-1");
  CHECK(aws::resolve_endpoint("sts").origin == "https://sts.eu-south-1.amazonaws.com");
}

TEST_CASE("given endpoints count in their order", "[aws]") {
  CleanEnvironment environment;
  environment.set("AWS_REGION", "us-east-1");
  environment.write(".aws/config",
                    "[default]\nservices = local\nendpoint_url = http://profile:4\n"
                    "[services local]\ns3 =\n  endpoint_url = http://section:3/gateway/\n");
  Endpoint endpoint = aws::resolve_endpoint("s3");
  CHECK(endpoint.origin == "http://section:3");
  CHECK(endpoint.base_path == "/gateway");
  CHECK(endpoint.custom);
  CHECK(aws::resolve_endpoint("dynamodb").origin == "http://profile:4");
  environment.set("AWS_ENDPOINT_URL", "http://all:2/");
  CHECK(aws::resolve_endpoint("s3").origin == "http://all:2");
  CHECK(aws::resolve_endpoint("s3").base_path.empty());
  environment.set("AWS_ENDPOINT_URL_S3", "https://[::1]:1");
  CHECK(aws::resolve_endpoint("s3").origin == "https://[::1]:1");
  CHECK(aws::resolve_endpoint("dynamodb").origin == "http://all:2");
  const Endpoint moved = aws::endpoint_in_region(aws::resolve_endpoint("s3"), "eu-west-1");
  CHECK(moved.origin == "https://[::1]:1");
  CHECK(moved.region == "eu-west-1");
  environment.set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
  endpoint = aws::resolve_endpoint("s3");
  CHECK(endpoint.origin == "https://s3.us-east-1.amazonaws.com");
  CHECK(!endpoint.custom);
  CHECK(aws::endpoint_in_region(endpoint, "cn-north-1").origin ==
        "https://s3.cn-north-1.amazonaws.com.cn");
  environment.unset("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
  for (const char* url : {"localhost:1", "ftp://x", "http://", "http://u:p@h", "http://h?x=y"}) {
    environment.set("AWS_ENDPOINT_URL_S3", url);
    const auto error = thrown_by([] { aws::resolve_endpoint("s3"); });
    CAPTURE(url);
    REQUIRE(error);
    CHECK(error->code() == "Unum.InvalidEndpoint");
    CHECK(error->message().find("AWS_ENDPOINT_URL_S3") == 0);
    CHECK(error->message().find("u:p") == std::string::npos);
  }
}

TEST_CASE("retries follow the service, the environment and the profile", "[aws]") {
  CleanEnvironment environment;
  CHECK(Settings::load().retry_policy("s3").attempts_max == 3);
  CHECK(!Settings::load().retry_policy("s3").attempts_are_given);
  CHECK(Settings::load().retry_policy("dynamodb").attempts_max == 4);
  CHECK(Settings::load().retry_policy("dynamodb").backoff.transient.first ==
        std::chrono::milliseconds(25));
  environment.write(".aws/config", "[default]\nmax_attempts = 7\nretry_mode = standard");
  CHECK(Settings::load().retry_policy("s3").attempts_max == 7);
  CHECK(Settings::load().retry_policy("s3").attempts_are_given);
  environment.set("AWS_RETRY_MODE", "adaptive");
  CHECK(Settings::load().retry_policy("s3").attempts_max == 7);
  environment.set("AWS_RETRY_MODE", "eager");
  const auto mode = thrown_by([] { Settings::load().retry_policy("s3"); });
  REQUIRE(mode);
  CHECK(mode->message().find("must be standard, adaptive or legacy") != std::string::npos);
  environment.unset("AWS_RETRY_MODE");
  environment.set("AWS_MAX_ATTEMPTS", "5");
  environment.set("UNUM_HEDGE_MS", "30");
  CHECK(Settings::load().retry_policy("s3").attempts_max == 5);
  CHECK(Settings::load().retry_policy("s3").hedge_after == std::chrono::milliseconds(30));
  for (const char* attempts : {"0", "many", "-1", "101"}) {
    environment.set("AWS_MAX_ATTEMPTS", attempts);
    const auto error = thrown_by([] { Settings::load().retry_policy("s3"); });
    REQUIRE(error);
    CHECK(error->message().find("AWS_MAX_ATTEMPTS") == 0);
  }
}

TEST_CASE("the shared files lie where the environment says", "[aws]") {
  CleanEnvironment environment;
  environment.write("elsewhere", "[default]\nregion = eu-north-1");
  environment.set("AWS_CONFIG_FILE", "~/elsewhere");
  CHECK(Settings::load().region() == "eu-north-1");
  environment.write("keys", "[default]\nregion = eu-north-2");
  environment.set("AWS_SHARED_CREDENTIALS_FILE", environment.home / "keys");
  CHECK(Settings::load().region() == "eu-north-2");
  environment.set("AWS_CONFIG_FILE", environment.home.path());  // a directory
  CHECK(thrown_by([] { Settings::load(); }));
}

// Texts from outside that hold credentials, and files that may not be read.
#include <sys/stat.h>
#include <unistd.h>

#include "aws/credentials_text.hpp"
#include "aws/endpoint.hpp"
#include "aws/providers.hpp"
#include "aws/settings.hpp"
#include "aws_testing.hpp"

using namespace unum;
using namespace unum::test;
using namespace std::chrono_literals;
using aws::Credentials;
using aws::Settings;

namespace {

using WallTime = std::chrono::system_clock::time_point;

/// The profile's credentials, "ID SECRET TOKEN", or why there are none.
std::string profile_gives(Reactor& reactor) {
  http::Client http(reactor);
  std::string result;
  const auto body = [&]() -> Task<void> {
    const auto profile = aws::profile_provider(reactor, http);
    std::optional<Error> failed;
    try {
      const aws::Finding finding = co_await profile->fetch(Wait{far_away()});
      result = finding.nothing;
      if (finding.credentials) {
        const Credentials& keys = *finding.credentials;
        result = keys.access_key_id + " " + keys.secret_access_key + " " + keys.session_token;
      }
    } catch (const Error& error) {
      failed = error;
    }
    if (failed) result = failed->message();
    co_await http.close();
  };
  reactor.run(body());
  return result;
}

std::string environment_gives(Reactor& reactor) {
  std::string result;
  const auto body = [&]() -> Task<void> {
    const auto place = aws::environment_provider();
    const auto error = co_await error_of(place->fetch(Wait{far_away()}));
    result = error ? error->message() : std::string("credentials");
  };
  reactor.run(body());
  return result;
}

/// Who may not read what belongs to nobody; root may read everything.
class OtherUser {
 public:
  OtherUser() { REQUIRE(::seteuid(65'534) == 0); }
  ~OtherUser() { (void)!::seteuid(0); }
  OtherUser(const OtherUser&) = delete;
  OtherUser& operator=(const OtherUser&) = delete;
};

}  // namespace

TEST_CASE("times of expiration in the forms that programs print (found 20)", "[aws]") {
  const auto noon = std::chrono::sys_days(std::chrono::year(2026) / 2 / 3) + 12h;
  for (const char* text :
       {"2026-02-03T12:00:00Z", "2026-02-03T12:00:00.123456Z", "2026-02-03T13:30:00+01:30",
        "2026-02-03T11:00:00-01:00", "2026-02-03T12:00:00UTC", "2026-02-03T12:00:00 UTC",
        "2026-02-03T12:00:00GMT", "2026-02-03T12:00:00+0000", "2026-02-03T13:00:00+01",
        "2026-02-03 12:00:00Z", "2026-02-03 12:00:00 +0000", "20260203T120000Z", "20260203T1200Z",
        "2026-02-03T12:00Z", "2026-02-03t12:00:00z", "Tue, 03 Feb 2026 12:00:00 GMT"}) {
    CAPTURE(text);
    CHECK(aws::parse_expiration(text) == std::optional<WallTime>(noon));
  }
  for (const char* wrong :
       {"", "2026-02-03", "2026-02-30T12:00:00Z", "2026-02-03T24:00:00Z", "2026-02-03T12:00:00",
        "2026-02-03T12:00:00+1:00", "x026-02-03T12:00:00Z", "2026-02-03T12:00:00Zjunk",
        "2026-0203T12:00:00Z", "2026-02-03T12:00:00.Z", "2026-02-03T12Z", "1770120000",
        "2026-02-03T12:00:00+", "2026-02-03T12:60:00Z", "2026-02-03T+1:00:00Z"}) {
    CAPTURE(wrong);
    CHECK(!aws::parse_expiration(wrong));
  }
}

TEST_CASE("a time of expiration centuries away can be computed with (found 22)", "[aws]") {
  const auto last = aws::parse_expiration("9999-12-31T23:59:59Z");
  const auto first = aws::parse_expiration("0001-01-01T00:00:00Z");
  REQUIRE((first && last));
  const auto now = std::chrono::system_clock::now();
  CHECK(*last - now > 24h * 365 * 100);
  CHECK(now - *first > 24h * 365 * 50);
}

TEST_CASE("a key with what no key has names its variable and is not quoted (found 20)", "[aws]") {
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  const auto with = [&](const char* variable, const std::string& value) {
    environment.set("AWS_ACCESS_KEY_ID", "id");
    environment.set("AWS_SECRET_ACCESS_KEY", kSecret);
    environment.set("AWS_SESSION_TOKEN", kToken);
    environment.set(variable, value);
    const std::string result = environment_gives(reactor);
    CHECK(!repeats_a_secret(result));
    return result;
  };
  CHECK(with("AWS_ACCESS_KEY_ID", "id\n") == "AWS_ACCESS_KEY_ID ends with a line's end");
  CHECK(with("AWS_SECRET_ACCESS_KEY", kSecret + "\r\n") ==
        "AWS_SECRET_ACCESS_KEY ends with a line's end");
  CHECK(with("AWS_SESSION_TOKEN", kToken + " ") == "AWS_SESSION_TOKEN has a blank in it");
  CHECK(with("AWS_SESSION_TOKEN", "a\nb") == "AWS_SESSION_TOKEN has more than one line");
  CHECK(with("AWS_ACCESS_KEY_ID", "sch\u00f6n") ==
        "AWS_ACCESS_KEY_ID has a character in it that no key has");
  CHECK(with("AWS_SECRET_ACCESS_KEY", "") ==
        "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not");
  CHECK(with("AWS_SESSION_TOKEN", kToken) == "credentials");
}

TEST_CASE("profiles are read as AWS' own command reads them (found 20)", "[aws]") {
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  const std::string keys = "aws_access_key_id = id\naws_secret_access_key = secret\n";
  const auto config = [&](const std::string& profile, const std::string& text) {
    environment.set("AWS_PROFILE", profile);
    environment.write(".aws/config", text);
    environment.write(".aws/credentials", "");
    return profile_gives(reactor);
  };
  const std::string good = "id secret ";
  // Indented properties and comments.
  CHECK(config("p", "[profile p]\n  aws_access_key_id = id\n  aws_secret_access_key = secret\n") ==
        good);
  CHECK(config("p", "  [profile p]\n\taws_access_key_id=id\n\taws_secret_access_key=secret") ==
        good);
  CHECK(config("p", "[profile p]\n" + keys + "  # not a part of the secret\n") == good);
  CHECK(config("p", "[profile p]\n" + keys + "\t; nor this\n\n   # nor that") == good);
  CHECK(config("p", "[profile p]\naws_access_key_id: id\naws_secret_access_key : secret") == good);
  CHECK(config("p", "[profile p]\raws_access_key_id=id\raws_secret_access_key=secret\r") == good);
  // Names of all kinds.
  for (const std::string name : {"my profile", "gr\u00f6\u00dfe", "a#b", "a]b", "it's", "!"}) {
    CAPTURE(name);
    CHECK(config(name, "[profile \"" + name + "\"]\n" + keys) == good);
    environment.write(".aws/config", "");
    environment.write(".aws/credentials", "[" + name + "]\n" + keys);
    CHECK(profile_gives(reactor) == good);
  }
  CHECK(config("my profile", "[profile my profile]\n" + keys)
            .find("a name with blanks stands in quotes: [profile \"my profile\"]") !=
        std::string::npos);
  // Keys of the credentials file, then a program, then keys of the config file.
  const std::string printed = R"({\"Version\":1,\"AccessKeyId\":\"of-program\",)"
                              R"(\"SecretAccessKey\":\"x\"})";
  const std::string program = "credential_process = echo \"" + printed + "\"\n";
  CHECK(config("p", "[profile p]\n" + keys + program) == "of-program x ");
  environment.write(".aws/credentials", "[p]\n" + keys);
  CHECK(profile_gives(reactor) == good);
  // What stands together belongs together, unless each file has one half.
  environment.write(".aws/config", "[profile p]\n" + keys + "aws_session_token = of-config");
  CHECK(profile_gives(reactor) == good);
  environment.write(".aws/credentials", "[p]\naws_secret_access_key = of-nobody");
  CHECK(profile_gives(reactor) == "id secret of-config");
  environment.write(".aws/credentials", "[p]\naws_access_key_id = of-nobody");
  CHECK(profile_gives(reactor) ==
        "profile p has only one of aws_access_key_id and aws_secret_access_key");
  environment.write(".aws/config", "[profile p]\naws_secret_access_key = half");
  CHECK(profile_gives(reactor) == "of-nobody half ");
  environment.write(".aws/credentials", "[p]\n" + keys);
  CHECK(profile_gives(reactor) == good);
  // AWS_PROFILE is not the only name of that variable.
  environment.unset("AWS_PROFILE");
  environment.set("AWS_DEFAULT_PROFILE", "p");
  CHECK(profile_gives(reactor) == good);
  environment.set("AWS_SHARED_CREDENTIALS_FILE", "$HOME/keys");
  environment.write("keys", "[p]\naws_access_key_id=else\naws_secret_access_key=where");
  CHECK(profile_gives(reactor) == "else where ");
  environment.set("AWS_SHARED_CREDENTIALS_FILE", "${HOME}/ke$ys$");
  environment.write("ke$ys$", "[p]\naws_access_key_id=odd\naws_secret_access_key=name");
  CHECK(profile_gives(reactor) == "odd name ");
}

TEST_CASE("a setting that goes on in the next line is refused and not quoted (found 20)", "[aws]") {
  CleanEnvironment environment;
  for (const char* name : {"region", "services", "endpoint_url", "use_fips_endpoint"}) {
    CAPTURE(name);
    environment.write(".aws/config", "[default]\n" + std::string(name) +
                                         " = x\n  aws_secret_access_key = " + kSecret + "\n");
    std::string message;
    try {
      environment.set("AWS_REGION", std::string(name) == "region" ? "" : "us-east-1");
      aws::resolve_endpoint("s3");
    } catch (const Error& error) {
      message = error.message();
    }
    CHECK(message == "profile default: " + std::string(name) +
                         " goes on in an indented line behind it, and must have one line");
  }
}

TEST_CASE("files that may not be read matter where nothing else is said (found 20)", "[aws]") {
  if (::geteuid() != 0) UNUM_SKIP("only root can become a user who may read less");
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  environment.write(".aws/config", "[default]\nregion = eu-west-1");
  ::chmod((environment.home / ".aws").c_str(), 0700);
  const std::string config = environment.home / ".aws/config";
  const std::string refused = "reading " + config + ": Permission denied";
  const OtherUser other;
  environment.set("AWS_REGION", "us-east-1");
  CHECK(aws::resolve_endpoint("s3").region == "us-east-1");
  CHECK(profile_gives(reactor).find(refused) != std::string::npos);
  environment.set("AWS_PROFILE", "work");
  CHECK(profile_gives(reactor).find(refused) != std::string::npos);
  environment.unset("AWS_REGION");
  const auto message = [&]() -> std::string {
    try {
      return aws::resolve_endpoint("s3").region;
    } catch (const Error& error) {
      return error.message();
    }
  };
  CHECK(message().find(refused) != std::string::npos);
  // One that somebody named has to be read.
  environment.set("AWS_CONFIG_FILE", config);
  CHECK(message().starts_with("AWS_CONFIG_FILE: " + refused));
}

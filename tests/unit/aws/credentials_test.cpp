// Where credentials come from, and in which order.
#include <sys/stat.h>

#include "aws/credentials_text.hpp"
#include "aws/open_service.hpp"
#include "aws/providers.hpp"
#include "aws_testing.hpp"

using namespace unum;
using namespace unum::test;
using namespace std::chrono_literals;
using aws::Credentials;
using aws::CredentialsSource;

namespace {

using WallTime = std::chrono::system_clock::time_point;

std::string json_credentials(const std::string& id, const std::string& token_name) {
  return "{\"Version\":1,\"Code\":\"Success\",\"AccessKeyId\":\"" + id +
         "\",\"SecretAccessKey\":\"" + kSecret + "\",\"" + token_name + "\":\"" + kToken +
         "\",\"Expiration\":\"2100-01-01T00:00:00Z\"}";
}

std::string sts_answer(const std::string& id) {
  return "200 OK\n\n<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
         "<AssumeRoleResult><Credentials><AccessKeyId>" +
         id + "</AccessKeyId><SecretAccessKey>" + kSecret + "</SecretAccessKey><SessionToken>" +
         kToken +
         "</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>"
         "</AssumeRoleResult></AssumeRoleResponse>";
}

/// The default chain beside a server of the test's own.
struct Chain {
  Chain(Reactor& reactor, Server::Script script)
      : server(reactor, std::move(script)),
        http(reactor),
        source(aws::default_credentials(reactor, http)) {}
  Server server;
  http::Client http;
  std::unique_ptr<CredentialsSource> source;
};

/// Runs the body with a chain; what it asks for is answered by the script.
template <class Body>
void with_chain(Reactor& reactor, Server::Script script, Body body) {
  Chain chain(reactor, std::move(script));
  const auto run = [&]() -> Task<void> { return body(chain); };
  with_client(reactor, chain.http, chain.server, run);
}

Task<std::string> id_of(CredentialsSource& source) {
  const Credentials* credentials = co_await source.get(Wait{far_away()});
  co_return credentials->access_key_id + " from " + credentials->source;
}

}  // namespace

TEST_CASE("without credentials the error lists every place and what was found there", "[aws]") {
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  environment.set("AWS_SECRET_ACCESS_KEY", kSecret);
  environment.set("AWS_EC2_METADATA_DISABLED", "True");
  with_chain(reactor, answers(""), [&](Chain& chain) -> Task<void> {
    const auto error = co_await error_of(chain.source->get(Wait{far_away()}));
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::denied);
    CHECK(error->code() == "Unum.NoCredentials");
    CHECK(error->message() ==
          "no credentials for AWS; looked at\n"
          "  environment: AWS_SECRET_ACCESS_KEY is set, AWS_ACCESS_KEY_ID is not\n"
          "  web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set\n"
          "  profile: there is no profile \"default\" in " +
              environment.home / ".aws/config or " + environment.home / ".aws/credentials" +
              "\n"
              "  container endpoint: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and "
              "AWS_CONTAINER_CREDENTIALS_FULL_URI are not set\n"
              "  EC2 instance metadata: AWS_EC2_METADATA_DISABLED is true");
  });
}

TEST_CASE("the places are asked in their order", "[aws]") {
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  environment.set("AWS_REGION", "us-east-1");
  // All are set up; one after another is taken away.
  environment.set("AWS_ACCESS_KEY_ID", "env");
  environment.set("AWS_SECRET_ACCESS_KEY", kSecret);
  environment.set("AWS_ROLE_ARN", "arn:aws:iam::1:role/r");
  environment.write("token", kToken + "\n");
  environment.set("AWS_WEB_IDENTITY_TOKEN_FILE", environment.home / "token");
  environment.write(".aws/credentials",
                    "[default]\naws_access_key_id = file\naws_secret_access_key = " + kSecret);
  environment.unset("AWS_EC2_METADATA_DISABLED");
  const auto script = [&](Peer& peer) -> Task<void> {
    while (const auto request = co_await peer.read_request()) {
      const std::string line = first_line(*request);
      if (line.starts_with("POST /")) {
        CHECK(header_of(*request, "authorization").empty());
        CHECK(body_of(*request).find("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn="
                                     "arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=unum-") ==
              0);
        const std::string answer = sts_answer("sts");
        co_await peer.answer("200 OK", answer.substr(answer.find("\n\n") + 2));
      } else if (line == "GET /container HTTP/1.1") {
        co_await peer.answer("200 OK", json_credentials("container", "Token"));
      } else if (line == "PUT /latest/api/token HTTP/1.1") {
        CHECK(header_of(*request, "x-aws-ec2-metadata-token-ttl-seconds") == "21600");
        co_await peer.answer("200 OK", "imds-token");
      } else {
        CHECK(header_of(*request, "x-aws-ec2-metadata-token") == "imds-token");
        const bool list = line == "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1";
        const std::string answer = list ? "web-role" : json_credentials("instance", "Token");
        co_await peer.answer("200 OK", answer);
      }
    }
  };
  with_chain(reactor, script, [&](Chain& chain) -> Task<void> {
    environment.set("AWS_ENDPOINT_URL_STS", chain.server.origin());
    environment.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", chain.server.origin() + "/container");
    environment.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", chain.server.origin() + "/");
    const auto next = [&]() -> Task<std::string> {
      const auto source = aws::default_credentials(reactor, chain.http);
      const std::string id = co_await id_of(*source);
      co_return id;
    };
    std::string id = co_await next();
    CHECK(id == "env from environment");
    environment.unset("AWS_ACCESS_KEY_ID");
    id = co_await next();
    CHECK(id == "sts from web identity for arn:aws:iam::1:role/r");
    environment.unset("AWS_WEB_IDENTITY_TOKEN_FILE");
    id = co_await next();
    CHECK(id == "file from profile default");
    environment.write(".aws/credentials", "");
    id = co_await next();
    CHECK(id == "container from container endpoint");
    environment.unset("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    id = co_await next();
    CHECK(id == "instance from EC2 instance metadata, role web-role");
  });
}

TEST_CASE("roles are assumed through profiles, with what they ask for", "[aws]") {
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  environment.set("AWS_REGION", "us-east-1");
  environment.set("AWS_PROFILE", "outer");
  environment.write(".aws/config",
                    "[profile outer]\nrole_arn = arn:aws:iam::1:role/outer\n"
                    "source_profile = inner\nexternal_id = e/1\nduration_seconds = 900\n"
                    "role_session_name = me\n"
                    "[profile inner]\nrole_arn = arn:aws:iam::1:role/inner\n"
                    "source_profile = base\n"
                    "[profile base]\nrole_arn = arn:not-asked-for-below-a-role\n"
                    "source_profile = base\naws_access_key_id = base\naws_secret_access_key = " +
                        kSecret);
  std::vector<std::string> seen;
  with_chain(
      reactor, in_turn({sts_answer("inner"), sts_answer("outer")}, &seen),
      [&](Chain& chain) -> Task<void> {
        environment.set("AWS_ENDPOINT_URL_STS", chain.server.origin());
        const std::string id = co_await id_of(*chain.source);
        CHECK(id == "outer from profile outer, role arn:aws:iam::1:role/outer");
        REQUIRE(seen.size() == 2);
        CHECK(header_of(seen[0], "authorization").find("Credential=base/") != std::string::npos);
        CHECK(header_of(seen[1], "authorization").find("Credential=inner/") != std::string::npos);
        CHECK(header_of(seen[1], "x-amz-security-token") == kToken);
        CHECK(body_of(seen[1]) ==
              "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2F"
              "outer&RoleSessionName=me&DurationSeconds=900&ExternalId=e%2F1");
      });
}

TEST_CASE("a role may stand on credentials of the environment, a container or an instance",
          "[aws]") {
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  environment.set("AWS_REGION", "us-east-1");
  environment.unset("AWS_EC2_METADATA_DISABLED");
  const auto answer_all = [](Peer& peer) -> Task<void> {
    while (const auto request = co_await peer.read_request()) {
      const std::string line = first_line(*request);
      std::string body = json_credentials("instance", "Token");
      if (line.starts_with("POST ")) {
        // Which key the role is asked for with, as its own key.
        const std::string signature = header_of(*request, "authorization");
        const std::size_t key = signature.find("Credential=") + 11;
        body = sts_answer("role-of-" + signature.substr(key, signature.find('/', key) - key))
                   .substr(std::string("200 OK\n\n").size());
      } else if (line.starts_with("PUT ")) {
        body = "metadata-token";
      } else if (line == "GET /container HTTP/1.1") {
        body = json_credentials("container", "Token");
      } else if (line == "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1") {
        body = "some-role";
      }
      co_await peer.answer("200 OK", body);
    }
  };
  with_chain(reactor, answer_all, [&](Chain& chain) -> Task<void> {
    environment.set("AWS_ENDPOINT_URL_STS", chain.server.origin());
    environment.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", chain.server.origin() + "/container");
    environment.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", chain.server.origin());
    // Beside it stands what the chain itself would prefer: the environment alone would do.
    for (const auto& [source, role] : {std::pair{"EcsContainer", "role-of-container"},
                                       std::pair{"Ec2InstanceMetadata", "role-of-instance"}}) {
      CAPTURE(source);
      environment.write(".aws/config", std::string("[default]\nrole_arn = arn:r\n"
                                                   "credential_source = ") +
                                           source + "\n");
      const std::string id = co_await id_of(*chain.source);
      CHECK(id == std::string(role) + " from profile default, role arn:r");
      chain.source->invalidate();
    }
    environment.write(".aws/config",
                      "[default]\nrole_arn = arn:r\ncredential_source = Environment\n");
    const auto error = co_await error_of(chain.source->get(Wait{far_away()}));
    REQUIRE(error);
    CHECK(error->message() ==
          "profile default: its credential_source Environment has none: AWS_ACCESS_KEY_ID and "
          "AWS_SECRET_ACCESS_KEY are not set");
    environment.set("AWS_ACCESS_KEY_ID", "env");
    environment.set("AWS_SECRET_ACCESS_KEY", kSecret);
    // The chain itself would stop at the environment, so the profile alone is asked.
    const auto profile = aws::profile_provider(reactor, chain.http);
    const aws::Finding of_environment = co_await profile->fetch(Wait{far_away()});
    REQUIRE(of_environment.credentials);
    CHECK(of_environment.credentials->access_key_id == "role-of-env");
  });
}

TEST_CASE("services next door are not asked through a proxy", "[aws]") {
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  environment.unset("AWS_EC2_METADATA_DISABLED");
  Server proxy(reactor, answers("of another machine"));
  for (const char* variable : {"http_proxy", "all_proxy"}) {
    environment.set(variable, proxy.origin());
    const std::vector<std::string> of_instance = {
        "200 OK\n\nt", "200 OK\n\nrole", "200 OK\n\n" + json_credentials("instance", "Token")};
    with_chain(reactor, in_turn(of_instance), [&](Chain& chain) -> Task<void> {
      environment.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", chain.server.origin());
      const std::string id = co_await id_of(*chain.source);
      CHECK(id == "instance from EC2 instance metadata, role role");
    });
    const std::string of_container = "200 OK\n\n" + json_credentials("container", "Token");
    with_chain(reactor, in_turn({of_container}), [&](Chain& chain) -> Task<void> {
      environment.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", chain.server.origin() + "/x");
      const std::string id = co_await id_of(*chain.source);
      CHECK(id == "container from container endpoint");
    });
    environment.unset("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    environment.unset(variable);
  }
  CHECK(proxy.accepted() == 0);
  const auto stop = [&]() -> Task<void> { co_await proxy.stop(); };
  reactor.run(stop());
}

TEST_CASE("profiles that cannot work say why", "[aws]") {
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  environment.set("AWS_REGION", "us-east-1");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[profile p]\nrole_arn = r\nsource_profile = q\n[profile q]\nrole_arn = s\n"
       "source_profile = p",
       "the profiles' source_profile go in a circle: p -> q -> p"},
      {"[profile p]\nrole_arn = r\nsource_profile = nobody", "source_profile \"nobody\""},
      {"[profile p]\nrole_arn = r", "one of source_profile, credential_source and"},
      {"[profile p]\nrole_arn = r\nsource_profile = p\ncredential_source = Environment",
       "one of source_profile, credential_source and"},
      {"[profile p]\nrole_arn = r\ncredential_source = Heaven", "it must be Environment"},
      {"[profile p]\nrole_arn = r\nsource_profile = q\nmfa_serial = m\n[profile q]", "mfa_serial"},
      {"[profile p]\nrole_arn = r\nsource_profile = q\n[profile q]", "\"q\" has no credentials"},
      {"[profile p]\naws_access_key_id = id", "only one of aws_access_key_id and"},
      {"[profile p]\nsso_session = s", "IAM Identity Center"},
      {"[profile p]\nlogin_session = s", "a session of aws login (login_session)"},
      {"[profile p]\nweb_identity_token_file = t", "beside it must stand role_arn"},
      {"[profile p]\nrole_arn = r\nsource_profile = q\nduration_seconds = 1h\n[profile q]",
       "duration_seconds is \"1h\"; it must be a whole number of seconds"},
      {"[profile p]\naws_access_key_id = a\naws_secret_access_key = b c",
       "profile p: aws_secret_access_key has a blank in it"},
      {"[profile p]\naws_access_key_id = a\naws_secret_access_key = b\n  c",
       "profile p: aws_secret_access_key goes on in an indented line behind it"},
      {"[profile other]", "AWS_PROFILE: there is no profile \"p\""},
      {"[profile p]\ncredential_process = 'unfinished", "a quote in the command"},
      {"[profile p", ".aws/config:1: "}};
  environment.set("AWS_PROFILE", "p");
  for (const auto& [config, expected] : cases) {
    CAPTURE(config);
    environment.write(".aws/config", config);
    with_chain(reactor, answers(""), [&](Chain& chain) -> Task<void> {
      const auto error = co_await error_of(chain.source->get(Wait{far_away()}));
      REQUIRE(error);
      INFO(error->message());
      CHECK(error->kind() == ErrorKind::invalid);
      CHECK(error->message().find(expected) != std::string::npos);
    });
  }
}

TEST_CASE("a program gives credentials on its standard output", "[aws]") {
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  environment.write("give me.sh", "#!/bin/sh\ncat \"$1\"\nexit $2\n");
  ::chmod((environment.home / "give me.sh").c_str(), 0755);
  environment.write("good", json_credentials("program", "SessionToken"));
  environment.write("bad", "not JSON, but " + kSecret);
  environment.write("old", "{\"Version\":2}");
  const auto run = [&](const std::string& file, const std::string& code) {
    environment.write(".aws/config", "[default]\ncredential_process = \"" +
                                         environment.home / "give me.sh" + "\" " +
                                         environment.home / file + " " + code);
    std::string result;
    with_chain(reactor, answers(""), [&](Chain& chain) -> Task<void> {
      const auto error = co_await error_of(chain.source->get(Wait{far_away()}));
      const Credentials* credentials = chain.source->peek();
      result = error ? error->message() : credentials->access_key_id + credentials->session_token;
    });
    return result;
  };
  CHECK(run("good", "0") == "program" + kToken);
  CHECK(run("good", "3").find("ended with exit code 3") != std::string::npos);
  CHECK(run("bad", "0") == "what profile default gave are no credentials: it is no JSON");
  CHECK(run("old", "0") == "what profile default gave are no credentials: its Version is not 1");
  environment.write(".aws/config", "[default]\ncredential_process = /nowhere/at-all");
  CHECK(run("missing", "0").find("no credentials: ") != std::string::npos);
}

TEST_CASE("commands are split like a shell does it, without one", "[aws]") {
  using Words = std::vector<std::string>;
  CHECK(aws::split_command("a  b\tc\n") == Words{"a", "b", "c"});
  CHECK(aws::split_command("\"C d\"/x 'e \"f' g\\ h \\\"") == Words{"C d/x", "e \"f", "g h", "\""});
  CHECK(aws::split_command("\"a\\\"b\\c\" '' $HOME;ls|x") == Words{"a\"b\\c", "", "$HOME;ls|x"});
  CHECK(aws::split_command(" ").empty());
  CHECK_THROWS_AS(aws::split_command("a \"b"), Error);
}

TEST_CASE("a container's endpoint is asked with its token, and only where that is safe", "[aws]") {
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  environment.write("token", "file-token\n");
  std::vector<std::string> seen;
  const std::string good = "200 OK\n\n" + json_credentials("container", "Token");
  with_chain(
      reactor, in_turn({"500 Oops\n\n", good, good, "404 Not Found\n\n" + kSecret}, &seen),
      [&](Chain& chain) -> Task<void> {
        environment.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", chain.server.origin() + "/v1?x=y");
        environment.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "env-token");
        std::string id = co_await id_of(*chain.source);
        CHECK(id == "container from container endpoint");
        REQUIRE(seen.size() == 2);  // the first one failed
        CHECK(first_line(seen[1]) == "GET /v1?x=y HTTP/1.1");
        CHECK(header_of(seen[1], "authorization") == "env-token");
        environment.set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", environment.home / "token");
        chain.source->invalidate();
        id = co_await id_of(*chain.source);
        CHECK(header_of(seen[2], "authorization") == "file-token");
        chain.source->invalidate();
        auto error = co_await error_of(chain.source->get(Wait{far_away()}));
        REQUIRE(error);
        CHECK(error->message().find("answers HTTP 404") != std::string::npos);
        CHECK(!repeats_a_secret(error->message()));
        for (const char* url : {"http://example.com/x", "http://127.evil.example/", "ftp://x",
                                "http://169.254.170.3/", "http://u@127.0.0.1/", "http://[::2]/"}) {
          environment.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
          CAPTURE(url);
          error = co_await error_of(chain.source->get(Wait{far_away()}));
          REQUIRE(error);
          CHECK(error->code() == "Unum.InvalidSetting");
        }
        CHECK(seen.size() == 4);
      });
}

TEST_CASE("metadata that are not there are a finding, broken ones an error", "[aws]") {
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  environment.unset("AWS_EC2_METADATA_DISABLED");
  const std::string expired =
      "{\"Code\":\"Success\",\"AccessKeyId\":\"id\",\"SecretAccessKey\":\"" + kSecret +
      "\",\"Token\":\"t\",\"Expiration\":\"2020-01-01T00:00:00Z\"}";
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"404 Not Found\n\n"}, "answers HTTP 404 for its token"},
      {{"200 OK\n\ntwo\r\nlines"}, "is no metadata service"},
      {{"200 OK\n\nt", "404 Not Found\n\n"}, "for a role (has the instance one?)"},
      {{"200 OK\n\nt", "200 OK\n\n../x"}, "has no role"},
      {{"503 Unavailable\n\n"}, "answers HTTP 503"},
      {{"200 OK\n\nt", "200 OK\n\nrole",
        "200 OK\n\n{\"Code\":\"Failed\",\"x\":\"" + kSecret + "\"}"},
       "its Code is not Success"},
      {{"200 OK\n\nt", "200 OK\n\nrole", "200 OK\n\n" + expired}, ""}};
  for (const auto& [script, expected] : cases) {
    CAPTURE(expected);
    with_chain(reactor, in_turn(script), [&](Chain& chain) -> Task<void> {
      environment.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", chain.server.origin());
      const auto error = co_await error_of(chain.source->get(Wait{far_away()}));
      REQUIRE(error.has_value() == !expected.empty());
      if (!error) co_return;  // what has ended is used on
      INFO(error->message());
      CHECK(error->message().find(expected) != std::string::npos);
      CHECK(!repeats_a_secret(error->message()));
    });
  }
}

TEST_CASE("a metadata service that never answers costs a second", "[aws]") {
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  environment.unset("AWS_EC2_METADATA_DISABLED");
  const auto silent = [](Peer& peer) -> Task<void> { co_await peer.until_gone(); };
  with_chain(reactor, silent, [&](Chain& chain) -> Task<void> {
    environment.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", chain.server.origin());
    const Clock::time_point before = Clock::now();
    const auto error = co_await error_of(chain.source->get(Wait{far_away()}));
    REQUIRE(error);
    CHECK(error->code() == "Unum.NoCredentials");
    CHECK(chain.server.accepted() == 1);
    CHECK(Clock::now() - before >= std::chrono::milliseconds(900));
    CHECK(Clock::now() - before < std::chrono::seconds(10));  // and no request's usual time
  });
}

TEST_CASE("texts that are no credentials are refused without being quoted", "[aws]") {
  const auto refusal = [](const std::string& text) -> std::string {
    try {
      aws::parse_credentials_json(text, aws::CredentialsJson::container, "place");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::invalid);
      CHECK(!repeats_a_secret(error.message()));
      return error.message().substr(error.message().find(": ") + 2);
    }
    return {};
  };
  CHECK(refusal(kSecret) == "it is no JSON");
  CHECK(refusal("[\"" + kSecret + "\"]") == "it is no JSON object");
  CHECK(refusal("{\"SecretAccessKey\":\"" + kSecret + "\"}") == "the access key's id is missing");
  CHECK(refusal("{\"AccessKeyId\":\"a\"}") == "the secret access key is missing");
  CHECK(refusal("{\"AccessKeyId\":\"a\",\"SecretAccessKey\":7}") == "SecretAccessKey is no string");
  CHECK(refusal("{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\\nc\"}") ==
        "the secret has more than one line");
  CHECK(refusal("{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\",\"Expiration\":\"soon\"}") ==
        "their Expiration is no time with a zone; it must be like 2026-11-25T20:00:00Z");
  CHECK(refusal("{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\",\"Token\":null}").empty());
  CHECK_THROWS_AS(aws::parse_sts_answer("<a><b/></a>", "sts"), Error);
  CHECK_THROWS_AS(aws::parse_sts_answer("<a", "sts"), Error);
}

TEST_CASE("a session has region, endpoint and credentials, or says at once what is missing",
          "[aws]") {
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  environment.set("AWS_REGION", "us-east-1");
  Server server(reactor, answers("value"));
  environment.set("AWS_ENDPOINT_URL_S3", server.origin());
  const auto body = [&]() -> Task<void> {
    const auto none =
        co_await error_of(aws::open_service(reactor, "s3", aws::Protocol::rest_xml, 8));
    REQUIRE(none);
    CHECK(none->code() == "Unum.NoCredentials");
    environment.set("AWS_ACCESS_KEY_ID", "id");
    environment.set("AWS_SECRET_ACCESS_KEY", kSecret);
    aws::OpenService opened = co_await aws::open_service(reactor, "s3", aws::Protocol::rest_xml, 8);
    const aws::ServiceAnswer answer = co_await opened.service->send(get_call());
    CHECK(answer.response.body == "value");
    co_await opened.close();
    co_await server.stop();
  };
  reactor.run(body());
}

TEST_CASE("roles of a real STS", "[aws]") {
  const char* sts = std::getenv("UNUM_TEST_STS");
  if (sts == nullptr) UNUM_SKIP("UNUM_TEST_STS is not set: no server that speaks STS");
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  environment.set("AWS_REGION", "us-east-1");
  environment.set("AWS_ENDPOINT_URL_STS", sts);
  environment.set("AWS_PROFILE", "role");
  environment.write(".aws/config",
                    "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\n"
                    "source_profile = base\n[profile base]\naws_access_key_id = unum-test\n"
                    "aws_secret_access_key = " +
                        kSecret);
  environment.write("token", kToken);
  with_chain(reactor, answers(""), [&](Chain& chain) -> Task<void> {
    const Credentials* role = co_await chain.source->get(Wait{far_away()});
    CHECK(role->access_key_id.starts_with("ASIA"));
    CHECK(!role->session_token.empty());
    REQUIRE(role->expiration);
    CHECK(*role->expiration > std::chrono::system_clock::now() + 30min);
    environment.set("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/w");
    environment.set("AWS_WEB_IDENTITY_TOKEN_FILE", environment.home / "token");
    const auto source = aws::default_credentials(reactor, chain.http);
    const Credentials* web = co_await source->get(Wait{far_away()});
    CHECK(web->access_key_id.starts_with("ASIA"));
    CHECK(web->source.starts_with("web identity"));
  });
}

TEST_CASE("credentials of a real metadata service", "[aws]") {
  const char* imds = std::getenv("UNUM_TEST_IMDS");
  if (imds == nullptr) UNUM_SKIP("UNUM_TEST_IMDS is not set: no metadata service");
  ON_EACH_PORT(reactor);
  CleanEnvironment environment;
  environment.unset("AWS_EC2_METADATA_DISABLED");
  environment.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds);
  with_chain(reactor, answers(""), [&](Chain& chain) -> Task<void> {
    const Credentials* credentials = co_await chain.source->get(Wait{far_away()});
    CHECK(!credentials->access_key_id.empty());
    CHECK(!credentials->secret_access_key.empty());
    CHECK(credentials->source.starts_with("EC2 instance metadata, role "));
  });
}

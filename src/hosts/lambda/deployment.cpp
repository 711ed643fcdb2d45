// See deployment.hpp.
//
// No function's name, ARN or policy refers to another function: CloudFormation refuses the circles
// that come of that. Functions have fixed names (STACK-NAME) and may invoke whatever begins so.
#include "hosts/lambda/deployment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "base/json.hpp"
#include "hosts/lambda/permissions.hpp"
#include "unum/function.hpp"
#include "workers/function_code.hpp"
#include "workflow/retry.hpp"

namespace unum::lambda {
namespace {

// "Lambda quotas": a function's name, its time, its memory; CreateStack: a stack's name.
constexpr std::size_t kLambdaNameMax = 64;
constexpr std::int64_t kTimeoutMax = 900;
constexpr std::int64_t kMemoryMin = 128;
constexpr std::int64_t kMemoryMax = 10'240;
constexpr std::size_t kStackNameMax = 128;
// Beside the code's own time: start, reading of inputs, checkpoint and what it invokes.
constexpr std::int64_t kTimeBeside = 10;

[[noreturn]] void refuse(std::string message) {
  throw Error(ErrorKind::invalid, "application", "Unum.NotDeployable", std::move(message));
}

std::string yaml_text(std::string_view text) {
  std::string out;
  json::append_string(out, text);  // YAML's double quotes take JSON's escapes
  return out;
}

std::int64_t delay_seconds(const FunctionSettings& settings) {
  const auto longest = longest_delay(settings.ir.retriers);
  return std::chrono::ceil<std::chrono::seconds>(longest).count();
}

std::int64_t lambda_timeout(const FunctionSettings& settings) {
  return settings.timeout_seconds + kTimeBeside + delay_seconds(settings);
}

/// CloudFormation's names of resources are letters and digits.
std::string logical_name(std::string_view function) {
  std::string name;
  for (const char c : function) {
    if (c != '-' && c != '_') name += c;
  }
  return name + "Function";
}

void check_function(const FunctionSettings& settings, const DeploymentOptions& options) {
  const std::string name = options.stack + "-" + settings.name();
  if (name.size() > kLambdaNameMax) {
    refuse(
        fmt::format("function {} would be {} in Lambda, {} characters, at most {} are allowed; "
                    "choose a shorter --stack",
                    settings.name(), name, name.size(), kLambdaNameMax));
  }
  if (lambda_timeout(settings) > kTimeoutMax) {
    const std::int64_t delay = delay_seconds(settings);
    refuse(fmt::format(
        "function {}: its Timeout of {} s, the longest delay of its Retry, {} s, and {} s for the "
        "runtime are more than the {} s that Lambda has; lower Timeout, or set MaxDelaySeconds",
        settings.name(), settings.timeout_seconds, delay, kTimeBeside, kTimeoutMax));
  }
  if (settings.memory_mb > kMemoryMax) {
    refuse(fmt::format("function {}: MemorySize is {} MB, Lambda has {} MB at most",
                       settings.name(), settings.memory_mb, kMemoryMax));
  }
}

/// BUCKET/PREFIX in its two halves.
std::pair<std::string, std::string> bucket_and_prefix(const std::string& name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string::npos) return {name, ""};
  std::string prefix = name.substr(slash + 1);
  while (prefix.ends_with('/')) prefix.pop_back();
  return {name.substr(0, slash), std::move(prefix)};
}

std::string resource_of(std::string_view kind, const std::string& store) {
  constexpr std::string_view kTable =
      "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/";
  if (kind == "table") return std::string(kTable) + store;
  const auto [bucket, prefix] = bucket_and_prefix(store);
  const std::string arn = "arn:${AWS::Partition}:s3:::" + bucket;
  if (kind == "bucket") return arn;
  return arn + (prefix.empty() ? "" : "/" + prefix) + "/*";
}

void append_policies(std::string& out, const Application& application, bool invokes) {
  std::string statements;
  const auto allow = [&](auto actions, const std::string& resource) {
    statements += "            - Effect: Allow\n              Action:\n";
    for (const std::string_view action : actions) {
      statements += fmt::format("                - {}\n", action);
    }
    statements += fmt::format("              Resource: !Sub {}\n", yaml_text(resource));
  };
  for (const Permission& permission : store_permissions(application.store.type)) {
    allow(permission.actions, resource_of(permission.resource, application.store.name));
  }
  if (invokes) {
    allow(std::initializer_list<std::string_view>{kInvokeAction},
          "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:"
          "${AWS::StackName}-*");
  }
  if (statements.empty()) return;
  out += "      Policies:\n        - Version: \"2012-10-17\"\n          Statement:\n" + statements;
}

void append_function(std::string& out, const Application& application,
                     const FunctionSettings& settings) {
  const bool managed = runs_on_managed_runtime(settings);
  const bool native = settings.runtime == "native";
  out += fmt::format("  {}:\n    Type: AWS::Serverless::Function\n    Properties:\n",
                     logical_name(settings.name()));
  out += fmt::format("      FunctionName: !Sub \"${{AWS::StackName}}-{}\"\n", settings.name());
  out += fmt::format("      CodeUri: functions/{}/\n", settings.name());
  out += fmt::format("      Runtime: {}\n",
                     native ? std::string("provided.al2023") : settings.runtime);
  out += fmt::format("      Handler: {}\n", yaml_text(settings.handler));
  out += fmt::format("      MemorySize: {}\n", std::max(settings.memory_mb, kMemoryMin));
  out += fmt::format("      Timeout: {}\n", lambda_timeout(settings));
  // An attempt of Retry is an invocation of the function itself.
  append_policies(out, application, !settings.ir.edges.empty() || !settings.ir.retriers.empty());
  out += "      Environment:\n        Variables:\n";
  out += "          UNUM_LAMBDA_PREFIX: !Sub \"${AWS::StackName}-\"\n";
  out += fmt::format("          UNUM_FUNCTION: {}\n", yaml_text(settings.name()));
  if (managed) {
    out += "          AWS_LAMBDA_EXEC_WRAPPER: /opt/unum-wrapper\n";
  } else {
    out += "          UNUM_CODE: code\n          UNUM_WORKERS: /opt\n";
  }
  if (delay_seconds(settings) > 0) {
    out += fmt::format("          UNUM_LAMBDA_DELAY_MAX: \"{}\"\n", delay_seconds(settings));
  }
  for (const auto& [name, value] : settings.environment) {
    out += fmt::format("          {}: {}\n", yaml_text(name), yaml_text(value));
  }
}

constexpr std::string_view kGlobals = R"(Globals:
  Function:
    Architectures:
      - {0}
    Layers:
      - !Ref UnumLayer
    # Loops and recursion of a workflow end by its own conditions.
    RecursiveLoop: Allow
    LoggingConfig:
      LogFormat: JSON
    EventInvokeConfig:
      MaximumRetryAttempts: 2
      MaximumEventAgeInSeconds: 21600
      DestinationConfig:
        OnFailure:
          Type: SQS
          Destination: !GetAtt DeadLetters.Arn
)";

constexpr std::string_view kVpc = R"(    VpcConfig:
      SubnetIds: !Ref SubnetIds
      SecurityGroupIds: !Ref SecurityGroupIds
)";

constexpr std::string_view kVpcParameters = R"(Parameters:
  SubnetIds:
    Type: List<AWS::EC2::Subnet::Id>
    Description: Subnets from which the Redis server can be reached
  SecurityGroupIds:
    Type: List<AWS::EC2::SecurityGroup::Id>
    Description: Security groups of the functions
)";

constexpr std::string_view kStoreParameters = R"(Parameters:
  CreateStore:
    Type: String
    Default: "true"
    AllowedValues: ["true", "false"]
    Description: Whether the data store is made with the stack; false if it exists
Conditions:
  CreatesStore: !Equals [!Ref CreateStore, "true"]
)";

constexpr std::string_view kShared = R"(Resources:
  UnumLayer:
    Type: AWS::Serverless::LayerVersion
    Properties:
      ContentUri: layer/
      CompatibleArchitectures:
        - {0}
  DeadLetters:
    Type: AWS::SQS::Queue
    Properties:
      MessageRetentionPeriod: 1209600
      SqsManagedSseEnabled: true
)";

constexpr std::string_view kTable = R"(  Store:
    Type: AWS::DynamoDB::Table
    Condition: CreatesStore
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
    Properties:
      TableName: {}
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - AttributeName: Name
          AttributeType: S
      KeySchema:
        - AttributeName: Name
          KeyType: HASH
)";

constexpr std::string_view kBucket = R"(  Store:
    Type: AWS::S3::Bucket
    Condition: CreatesStore
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
    Properties:
      BucketName: {}
      LifecycleConfiguration:
        Rules:
          - Id: IncompleteUploads
            Status: Enabled
            AbortIncompleteMultipartUpload:
              DaysAfterInitiation: 1
)";

}  // namespace

std::string stack_name_of(std::string_view application) {
  std::string name;
  for (const char c : application) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool digit = c >= '0' && c <= '9';
    if (name.empty() && !letter) continue;
    name += letter || digit ? c : '-';
  }
  return name.empty() ? "unum" : name;
}

bool runs_on_managed_runtime(const FunctionSettings& settings) {
  const auto kind = code_kind(settings.runtime);
  return kind == CodeKind::python || kind == CodeKind::node;
}

void check_deployment(const Application& application, const DeploymentOptions& options) {
  const StoreName& store = application.store;
  if (!store.named || store.type == StoreType::fs || store.type == StoreType::memory) {
    refuse(
        fmt::format("{}: the data store must be one that all functions reach: "
                    "UnumIntermediaryDataStoreType dynamodb, s3 or redis, with its "
                    "UnumIntermediaryDataStoreName",
                    kTemplateFile));
  }
  const bool named_well = options.stack == stack_name_of(options.stack);
  if (options.stack.size() > kStackNameMax || !named_well) {
    refuse(
        fmt::format("the stack's name \"{}\" must have letters, digits and hyphens only, begin "
                    "with a letter and have at most {} characters",
                    options.stack, kStackNameMax));
  }
  std::map<std::string, std::string> logical_names;
  for (const FunctionSettings& settings : application.functions) {
    check_function(settings, options);
    const auto [same, is_new] =
        logical_names.emplace(logical_name(settings.name()), settings.name());
    if (!is_new) {
      refuse(
          fmt::format("functions {} and {} have one name in CloudFormation, which knows letters "
                      "and digits only; rename one",
                      same->second, settings.name()));
    }
  }
}

std::string sam_template(const Application& application, const DeploymentOptions& options) {
  std::string out(kTemplateMark);
  out += "\nAWSTemplateFormatVersion: \"2010-09-09\"\nTransform: AWS::Serverless-2016-10-31\n";
  out += fmt::format("Description: {}\n", yaml_text("unum application " + application.name));
  const bool redis = application.store.type == StoreType::redis;
  out += redis ? kVpcParameters : kStoreParameters;
  out += fmt::format(kGlobals, options.architecture);
  if (redis) out += kVpc;
  out += fmt::format(kShared, options.architecture);
  if (application.store.type == StoreType::dynamodb) {
    out += fmt::format(kTable, yaml_text(application.store.name));
  } else if (application.store.type == StoreType::s3) {
    out += fmt::format(kBucket, yaml_text(bucket_and_prefix(application.store.name).first));
  }
  for (const FunctionSettings& settings : application.functions) {
    append_function(out, application, settings);
  }
  out += "Outputs:\n  Entry:\n    Description: Where sessions begin\n";
  out += fmt::format("    Value: !Ref {}\n", logical_name(application.entry));
  out += "  DeadLetters:\n    Description: Events that failed three times\n";
  out += "    Value: !Ref DeadLetters\n";
  return out;
}

std::string sam_configuration(const DeploymentOptions& options) {
  return fmt::format(
      "version = 0.1\n\n[default.deploy.parameters]\nstack_name = {}\nresolve_s3 = true\n"
      "capabilities = \"CAPABILITY_IAM\"\nconfirm_changeset = true\n",
      yaml_text(options.stack));
}

}  // namespace unum::lambda

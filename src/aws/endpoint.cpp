// Regions, partitions and the endpoints that somebody gave.
#include "aws/endpoint.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "aws/settings.hpp"
#include "unum/error.hpp"

namespace unum::aws {
namespace {

/// A group of regions with one domain: partitions.json of the SDKs, October 2026.
struct Partition {
  std::string_view region_prefix;
  std::string_view suffix;
  std::string_view dual_stack_suffix;
};
constexpr std::array<Partition, 8> kPartitions = {{
    {"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
    {"us-gov-", "amazonaws.com", "api.aws"},
    {"us-iso-", "c2s.ic.gov", "api.aws.ic.gov"},
    {"us-isob-", "sc2s.sgov.gov", "api.aws.scloud"},
    {"eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
    {"us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
    {"eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
    {"", "amazonaws.com", "api.aws"},  // all others
}};

const Partition& partition_of(std::string_view region) {
  return *std::find_if(kPartitions.begin(), kPartitions.end(), [&](const Partition& partition) {
    return region.starts_with(partition.region_prefix);
  });
}

// The regions whose STS is the global one in the mode "legacy".
constexpr std::array<std::string_view, 16> kLegacyStsRegions = {
    "ap-northeast-1", "ap-south-1",   "ap-southeast-1", "ap-southeast-2",
    "ca-central-1",   "eu-central-1", "eu-north-1",     "eu-west-1",
    "eu-west-2",      "eu-west-3",    "sa-east-1",      "us-east-1",
    "us-east-2",      "us-west-1",    "us-west-2",      "aws-global"};

[[noreturn]] void fail(std::string_view code, std::string message) {
  throw Error(ErrorKind::invalid, "aws", code, std::move(message));
}

void check_region(const std::string& region) {
  const bool fits = region.size() <= 63 && std::all_of(region.begin(), region.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                    });
  // It becomes part of a host's name: anything else would send signed requests elsewhere.
  if (!fits || region.front() == '-' || region.back() == '-') {
    fail("Unum.InvalidRegion", "the region \"" + region +
                                   "\" (AWS_REGION, AWS_DEFAULT_REGION or region of the profile) "
                                   "is none; a region is called like eu-central-1");
  }
}

struct Variants {
  bool dual_stack = false;
  bool fips = false;
};

std::string own_origin(std::string_view service, std::string_view region, Variants variants) {
  const Partition& partition = partition_of(region);
  const bool gov = region.starts_with("us-gov-");
  std::string host(service);
  // In GovCloud these two answer to FIPS under their plain names.
  const bool plain_is_fips =
      gov && !variants.dual_stack && (service == "dynamodb" || service == "sts");
  if (variants.fips && !plain_is_fips) host += "-fips";
  if (service == "s3") {
    if (variants.dual_stack) host += ".dualstack";
    return "https://" + host + "." + std::string(region) + "." + std::string(partition.suffix);
  }
  return "https://" + host + "." + std::string(region) + "." +
         std::string(variants.dual_stack ? partition.dual_stack_suffix : partition.suffix);
}

/// Scheme, host and port go to the origin, the path to the base path.
void use_url(Endpoint& endpoint, const std::string& url, const std::string& source) {
  const std::size_t scheme = url.find("://");
  const bool known = url.starts_with("http://") || url.starts_with("https://");
  const std::size_t host = scheme + 3;
  const std::size_t slash = known ? std::min(url.find('/', host), url.size()) : 0;
  const std::string_view authority = known ? std::string_view(url).substr(host, slash - host) : "";
  const bool clean = std::all_of(url.begin(), url.end(), [](unsigned char c) {
    return c > ' ' && c < 0x7f && c != '?' && c != '#' && c != '\\';
  });
  if (!known || authority.empty() || !clean || authority.find('@') != std::string_view::npos) {
    // Not the text itself: it may hold a password.
    fail("Unum.InvalidEndpoint", source +
                                     " is no endpoint; it must be like https://host:port or "
                                     "http://host:port/path, without user, query and fragment");
  }
  endpoint.custom = true;
  endpoint.origin = url.substr(0, slash);
  endpoint.base_path = url.substr(slash);
  while (endpoint.base_path.ends_with('/')) endpoint.base_path.pop_back();
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == '-' || c == ' ') c = '_';
  }
  return result;
}

/// An endpoint that somebody gave, and where.
std::optional<std::pair<std::string, std::string>> given_url(const Settings& settings,
                                                             std::string_view service) {
  if (settings.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls")) {
    return std::nullopt;
  }
  for (const std::string& variable :
       {"AWS_ENDPOINT_URL_" + upper(service), std::string("AWS_ENDPOINT_URL")}) {
    if (auto url = environment(variable.c_str())) return {{*url, variable}};
  }
  const std::string where = " of profile " + settings.profile_name();
  if (const auto services = settings.of_profile("services")) {
    const auto section = settings.files().services.find(*services);
    if (section == settings.files().services.end()) {
      fail("Unum.InvalidSetting", "services" + where + " names section [services " + *services +
                                      "], which is not in " + settings.config_path());
    }
    if (const auto of_service = property(section->second, service)) {
      const auto url = sub_property(*of_service, "endpoint_url");
      if (url && !url->empty()) {
        return {{std::string(*url),
                 "endpoint_url of " + std::string(service) + " in [services " + *services + "]"}};
      }
    }
  }
  if (const auto url = settings.of_profile("endpoint_url")) {
    return {{*url, "endpoint_url" + where}};
  }
  return std::nullopt;
}

bool is_legacy_sts(const Settings& settings, std::string_view service, std::string_view region) {
  if (service != "sts") return false;
  const auto mode = settings.get("AWS_STS_REGIONAL_ENDPOINTS", "sts_regional_endpoints");
  if (!mode || *mode == "regional") return false;
  if (*mode != "legacy") {
    fail("Unum.InvalidSetting",
         "AWS_STS_REGIONAL_ENDPOINTS (or sts_regional_endpoints of the "
         "profile) is \"" +
             *mode + "\"; it must be regional or legacy");
  }
  return std::find(kLegacyStsRegions.begin(), kLegacyStsRegions.end(), region) !=
         kLegacyStsRegions.end();
}

void use_own(Endpoint& endpoint, const Settings& settings) {
  const bool s3 = endpoint.service == "s3";
  Variants variants;
  variants.dual_stack = settings.is_true("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint");
  variants.fips = settings.is_true("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint");
  if (s3 && variants.fips && endpoint.region.starts_with("cn-")) {
    fail("Unum.InvalidSetting", "S3 has no FIPS endpoints in region " + endpoint.region +
                                    " (AWS_USE_FIPS_ENDPOINT or use_fips_endpoint)");
  }
  endpoint.custom = false;
  endpoint.base_path.clear();
  if (!variants.dual_stack && !variants.fips &&
      is_legacy_sts(settings, endpoint.service, endpoint.region)) {
    endpoint.region = "us-east-1";
    endpoint.origin = "https://sts.amazonaws.com";
    return;
  }
  endpoint.origin = own_origin(endpoint.service, endpoint.region, variants);
}

}  // namespace

Endpoint resolve_endpoint(std::string_view service) {
  return resolve_endpoint(service, Settings::load());
}

Endpoint resolve_endpoint(std::string_view service, const Settings& settings) {
  Endpoint endpoint;
  endpoint.service = service;
  const std::optional<std::string> region = settings.region();
  if (!region) {
    throw Error(ErrorKind::not_found, "aws", "Unum.NoRegion",
                "no region for " + std::string(service) +
                    ": AWS_REGION and AWS_DEFAULT_REGION are not set, and profile " +
                    settings.profile_name() + " has no region in " +
                    (settings.config_path().empty() ? "~/.aws/config (HOME is not set)"
                                                    : settings.config_path()) +
                    settings.unreadable() + "; set AWS_REGION, to eu-central-1 for example");
  }
  endpoint.region = *region;
  check_region(endpoint.region);
  if (const auto url = given_url(settings, service)) {
    use_url(endpoint, url->first, url->second);
  } else {
    use_own(endpoint, settings);
  }
  return endpoint;
}

Endpoint endpoint_in_region(const Endpoint& endpoint, std::string_view region) {
  Endpoint moved = endpoint;
  moved.region = region;
  check_region(moved.region);
  if (!endpoint.custom) use_own(moved, Settings::load());
  return moved;
}

}  // namespace unum::aws

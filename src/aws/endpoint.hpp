// Where a service of AWS is: region and endpoint, from environment and profile.
#pragma once

#include <string>
#include <string_view>

namespace unum::aws {

class Settings;

struct Endpoint {
  std::string service;    ///< Signing name: "s3", "dynamodb", "sts".
  std::string region;     ///< Signing region: "eu-central-1".
  std::string origin;     ///< "https://dynamodb.eu-central-1.amazonaws.com"
  std::string base_path;  ///< Of a custom endpoint with a path ("/gateway"), or empty.
  bool custom = false;    ///< Given by somebody (AWS_ENDPOINT_URL...): paths name the bucket.
};

/// The endpoint of a service: AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the profile's
/// services section and endpoint_url, else the service's own in the region, dual-stack
/// (AWS_USE_DUALSTACK_ENDPOINT) and FIPS (AWS_USE_FIPS_ENDPOINT) as asked.
/// AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is respected. The region: AWS_REGION, AWS_DEFAULT_REGION,
/// the profile's. Reads files, blocking: at cold start only. Throws `not_found`, code
/// "Unum.NoRegion", with the places that were looked at.
Endpoint resolve_endpoint(std::string_view service);
/// The same by settings that are loaded already.
Endpoint resolve_endpoint(std::string_view service, const Settings& settings);

/// The service's endpoint in another region, by the same settings.
Endpoint endpoint_in_region(const Endpoint& endpoint, std::string_view region);

}  // namespace unum::aws

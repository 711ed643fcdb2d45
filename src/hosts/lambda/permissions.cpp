// See permissions.hpp.
#include "hosts/lambda/permissions.hpp"

#include <array>

namespace unum::lambda {
namespace {

// The last two: values above 400 KB are in parts, and the loser of a race removes its own.
constexpr std::array<std::string_view, 7> kTable = {
    "dynamodb:DescribeTable", "dynamodb:GetItem",    "dynamodb:BatchGetItem",
    "dynamodb:PutItem",       "dynamodb:UpdateItem", "dynamodb:BatchWriteItem",
    "dynamodb:DeleteItem"};
constexpr std::array<std::string_view, 4> kObjects = {"s3:GetObject", "s3:PutObject",
                                                      "s3:DeleteObject", "s3:AbortMultipartUpload"};
constexpr std::array<std::string_view, 1> kBucket = {"s3:ListBucket"};

constexpr std::array<Permission, 1> kDynamoDb = {{{"table", kTable}}};
constexpr std::array<Permission, 2> kS3 = {{{"objects", kObjects}, {"bucket", kBucket}}};

}  // namespace

std::span<const Permission> store_permissions(StoreType type) noexcept {
  switch (type) {
    case StoreType::dynamodb: return kDynamoDb;
    case StoreType::s3: return kS3;
    default: return {};
  }
}

}  // namespace unum::lambda

"""The versions of what the tests install themselves. Debian's packages come in the version of the release."""

VERSITYGW = "v1.8.0"
EC2_METADATA_MOCK = "v1.13.0"
# What builds the two above where the machine's Go is older: the oldest that both accept.
GO = "1.25.0"
DYNAMODB_LOCAL = "2.6.1"
MOTO = "5.2.5"
CFN_LINT = "1.58.0"
SAM_TRANSLATOR = "1.115.0"
AWSLAMBDARIC = "4.2.2"

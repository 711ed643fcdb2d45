"""The pages of an account book: a map runs over them, all pages at once."""


def lambda_handler(event, context):
    return event["pages"]

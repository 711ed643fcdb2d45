"""Step 13 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 13) % 1000003

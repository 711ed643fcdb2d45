"""Step 53 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 53) % 1000003

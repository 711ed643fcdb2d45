"""Step 92 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 92) % 1000003

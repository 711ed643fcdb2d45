"""Step 58 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 58) % 1000003

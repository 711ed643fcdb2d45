"""Step 26 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 26) % 1000003

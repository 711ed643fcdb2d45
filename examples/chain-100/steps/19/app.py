"""Step 19 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 19) % 1000003

"""Step 38 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 38) % 1000003

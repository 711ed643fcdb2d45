"""Step 84 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 84) % 1000003

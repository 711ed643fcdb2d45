"""Step 55 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 55) % 1000003

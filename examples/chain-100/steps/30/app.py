"""Step 30 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 30) % 1000003

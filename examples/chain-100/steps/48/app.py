"""Step 48 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 48) % 1000003

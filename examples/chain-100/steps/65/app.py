"""Step 65 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 65) % 1000003

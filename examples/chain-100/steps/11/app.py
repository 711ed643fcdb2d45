"""Step 11 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 11) % 1000003

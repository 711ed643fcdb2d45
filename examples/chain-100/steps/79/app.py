"""Step 79 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 79) % 1000003

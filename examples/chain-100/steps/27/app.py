"""Step 27 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 27) % 1000003

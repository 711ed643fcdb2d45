"""Step 37 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 37) % 1000003

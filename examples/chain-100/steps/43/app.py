"""Step 43 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 43) % 1000003

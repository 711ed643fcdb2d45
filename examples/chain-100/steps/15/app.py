"""Step 15 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 15) % 1000003

"""Step 75 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 75) % 1000003

"""Step 80 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 80) % 1000003

"""Step 7 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 7) % 1000003

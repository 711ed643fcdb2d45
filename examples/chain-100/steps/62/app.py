"""Step 62 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 62) % 1000003

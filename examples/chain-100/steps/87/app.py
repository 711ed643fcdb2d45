"""Step 87 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 87) % 1000003

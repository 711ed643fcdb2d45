"""Step 96 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 96) % 1000003

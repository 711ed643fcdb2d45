"""Step 76 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 76) % 1000003

"""Step 44 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 44) % 1000003

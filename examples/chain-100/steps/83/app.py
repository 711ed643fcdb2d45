"""Step 83 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 83) % 1000003

"""Step 41 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 41) % 1000003

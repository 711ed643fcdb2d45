"""Step 70 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 70) % 1000003

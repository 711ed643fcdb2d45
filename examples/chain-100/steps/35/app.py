"""Step 35 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 35) % 1000003

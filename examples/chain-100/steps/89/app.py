"""Step 89 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 89) % 1000003

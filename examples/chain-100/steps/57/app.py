"""Step 57 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 57) % 1000003

import os


def lambda_handler(event, context):
    return {"shipped": event, "table": os.environ["TABLE"]}

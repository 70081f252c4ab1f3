import os

from common.money import rounded


def handler(event, context):
    return {
        "total": rounded(sum(event.get("prices", []))),
        "stage": os.environ["STAGE"],
        "version": context.function_version,
        "arn": context.invoked_function_arn,
    }

"""The bucket `pki` of an S3-compatible store.

`make`: the bucket, and a user who may do with it what docs/OPERATIONS.md says and nothing else. From then on the store verifies who asks.
Prints the id and the secret of the user's key.
`get ID SECRET KEY FILE`: writes an object's octets into a file, and prints what is said of it; nothing if it is not there.
"""

import json
import sys
import urllib.request

import boto3
from botocore.exceptions import ClientError


def client(service, key):
    return boto3.client(
        service, endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key[0], aws_secret_access_key=key[1]
    )


endpoint, command, *arguments = sys.argv[1:]
if command == "make":
    anybody = ("somebody", "something")
    client("s3", anybody).create_bucket(Bucket="pki")
    iam = client("iam", anybody)
    iam.create_user(UserName="cairn")
    allowed = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::pki/*"}
    listed = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::pki"}
    policy = {"Version": "2012-10-17", "Statement": [allowed, listed]}
    iam.put_user_policy(UserName="cairn", PolicyName="crls", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="cairn")["AccessKey"]
    plain = {"Content-Type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(endpoint + "/moto-api/reset-auth", b"0", plain)).close()
    print(key["AccessKeyId"], key["SecretAccessKey"])
else:
    key_id, secret, name, file = arguments
    try:
        found = client("s3", (key_id, secret)).get_object(Bucket="pki", Key=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
    else:
        with open(file, "wb") as octets:
            octets.write(found["Body"].read())
        said = [found["ContentType"], found["CacheControl"], found["Metadata"].get("crl-number")]
        print(json.dumps(said))

#!/usr/bin/env bash
# Deploy a build once the user has approved it by phone.
#   deploy.sh BUILD
# OFFHOOK_URL: where the server is; OFFHOOK_API_KEY: a key of it, whose account has a number (`offhook phone +1…`).
set -uo pipefail

build=$1

offhook approve "Deploy build $build to production" \
    --detail "service=web shop" --detail "risk=low" --detail "last deploy=3 days ago" \
    --within 180 --idempotency-key "deploy-$build" --wait
case $? in
0) ;;
5)
    echo "the user said no: nothing was deployed"
    exit 5
    ;;
6)
    echo "nobody said yes in time: nothing was deployed"
    exit 6
    ;;
*)
    echo "the user could not be asked: nothing was deployed"
    exit 1
    ;;
esac

echo "deploying build $build"

-- The spends of benches/cliffs: each request redeems one point of a member. Arguments as of stage.lua.
require "stage"
name = "spends"

function init(arguments)
    begin(arguments)
end

function request()
    made = made + 1
    headers["Idempotency-Key"] = string.format("spend-%s-%d-%d", run, number, made)
    return wrk.format("POST", "/v1/redemptions", headers, string.format('{"member_id":"%s","points":1}', anyone()))
end

function response(status, _, body)
    count(status == 201 and body:find('"status":"captured"', 1, true) and body:find('"wallet":{', 1, true), status, body)
end

-- Orders: each request is one that nobody posted before, for a random member. Arguments as of stage.lua, and perhaps
-- when the orders occurred, if not now, and `walk` for members one after the other.
require "stage"
name = "awards"

function init(arguments)
    begin(arguments)
    occurred_at = arguments[4] or os.date("!%Y-%m-%dT%H:%M:%SZ")
    walk = arguments[5] == "walk"
end

function request()
    made = made + 1
    local body = string.format(
        '{"order_id":"bench-%s-%d-%d","member_id":"%s","occurred_at":"%s","currency":"USD","amount":"%d.%02d"}',
        run, number, made, walk and members[made % #members + 1] or anyone(), occurred_at, math.random(1, 300),
        math.random(0, 99))
    return wrk.format("POST", "/v1/orders", headers, body)
end

function is_award(status, body)
    return status == 201 and body:find('"calculation":[{', 1, true) and body:find('"wallet":{', 1, true)
end

function response(status, _, body)
    count(is_award(status, body), status, body)
end

-- Orders as of awards.lua, and among a hundred requests some transfers of a point to a member of another journal, whose
-- number stands in the id of a member. Arguments as of awards.lua with the order `random`, and how many of a hundred.
require "awards"
name = "transfers"

local init_awards, request_award = init, request

local function journal(member)
    return member:sub(16, 18)
end

function init(arguments)
    init_awards(arguments)
    share = tonumber(arguments[6]) / 100
    given = 0
end

function request()
    if math.random() >= share then
        return request_award()
    end
    made = made + 1
    local from, to = anyone(), anyone()
    while journal(to) == journal(from) do
        to = anyone()
    end
    headers["Idempotency-Key"] = string.format("transfer-%s-%d-%d", run, number, made)
    local body = string.format('{"from_member_id":"%s","to_member_id":"%s","points":1,"direct":true}', from, to)
    local text = wrk.format("POST", "/v1/transfers", headers, body)
    headers["Idempotency-Key"] = nil
    return text
end

function response(status, _, body)
    local is_transfer = status == 201 and body:find('"status":"accepted"', 1, true) and body:find('"wallet":{', 1, true)
    if is_transfer then
        given = given + 1
    end
    count(is_transfer or is_award(status, body), status, body)
end

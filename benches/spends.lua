-- The spends of benches/cliffs: each request redeems one point of a member.
-- Arguments as of awards.lua.

local threads = {}

function setup(thread)
    thread:set("number", #threads)
    threads[#threads + 1] = thread
end

function init(arguments)
    members = {}
    for id in io.lines(arguments[1]) do
        members[#members + 1] = id
    end
    run = arguments[3]
    headers = { ["Authorization"] = "Bearer " .. arguments[2], ["Content-Type"] = "application/json" }
    made, created, other = 0, 0, 0
    math.randomseed(os.time() + number)
end

function request()
    made = made + 1
    headers["Idempotency-Key"] = string.format("spend-%s-%d-%d", run, number, made)
    local body = string.format('{"member_id":"%s","points":1}', members[math.random(#members)])
    return wrk.format("POST", "/v1/redemptions", headers, body)
end

function response(status, _, body)
    if status == 201 and body:find('"status":"captured"', 1, true) and body:find('"wallet":{', 1, true) then
        created = created + 1
    else
        other = other + 1
        if other == 1 then
            print("first other answer: " .. status .. " " .. body)
        end
    end
end

function done(summary, latency)
    local created, other = 0, 0
    for _, thread in ipairs(threads) do
        created = created + thread:get("created")
        other = other + thread:get("other")
    end
    local errors = summary.errors
    print(string.format("spends %d %d %d %.3f %.3f %.3f", created, other,
        errors.connect + errors.read + errors.write + errors.timeout,
        summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end

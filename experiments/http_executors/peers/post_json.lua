local numbers = {}
for i = 0, 99 do numbers[#numbers + 1] = tostring(i) end
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"numbers": [' .. table.concat(numbers, ", ") .. '], "text": "' .. string.rep("y", 500) .. '"}'

with passages as (

    select * from {{ ref('int_funnel_passages') }}

),

segments as (

    select
        user_id,
        name
    from {{ read_segments(source('segmentation', 'user_segments')) }} as segments

)

select
    passages.funnel,
    passages.step_number,
    passages.step,
    passages.date,
    coalesce(segments.name, '') as segment,
    {{ funnel_measures('passages') }}
from passages
left join segments on passages.user_id = segments.user_id
group by all
